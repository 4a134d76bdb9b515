"""The pages of the rail, one file each; none imports another."""
