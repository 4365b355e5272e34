"""What the pipeline is (topology.yaml) and where it runs (FAULTSTREAM_* in the environment)."""
