"""Where workloads come from: the zoo, and files of other tools."""
