"""What is timed on the CPU and the GPU, and how; each measurement in a new process."""
