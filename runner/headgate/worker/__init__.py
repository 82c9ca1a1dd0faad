"""A runner: claims chunks, makes their calls or runs their handlers, hands the results in."""
