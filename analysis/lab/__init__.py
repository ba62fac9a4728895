"""What every study needs: how it is described, run, kept, judged and printed."""
