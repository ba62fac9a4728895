"""Time on the CPU: who is timed, and how."""
