"""The commands: one file each, from its flags to its exit code, imported when it is asked for."""
