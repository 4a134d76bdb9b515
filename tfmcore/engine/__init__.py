"""The engine: a child process that answers questions about models over its pipes."""
