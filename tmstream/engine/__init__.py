"""From a YAML file to a running graph; knows shapes, never a particular node."""
