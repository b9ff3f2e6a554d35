"""Both brokers behind one Dramatiq face; nothing outside, pipelines.worker and pipelines.relay knows Dramatiq."""
