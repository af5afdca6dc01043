// Dies of a signal, as a native module with a fault would.
process.abort();
