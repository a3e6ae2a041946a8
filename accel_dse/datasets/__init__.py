"""Where datasets come from: our Parquet files, trial logs, and other people's logs."""
