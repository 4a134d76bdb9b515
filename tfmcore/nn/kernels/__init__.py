"""How the blocks' products and random numbers are computed: what was measured to be fast, per processor and GPU."""
