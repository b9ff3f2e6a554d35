"""What the sandbox's shops of every channel share: the server, the faults, the record, the memory, the switches."""
