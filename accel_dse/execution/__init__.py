"""Where simulations run: in this process, in threads with a guarded child each, or on a cluster."""
