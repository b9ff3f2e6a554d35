"""Everything that speaks to the outside: values in, values out; no database, no broker."""
