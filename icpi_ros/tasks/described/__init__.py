"""Tasks that are one YAML file each; docs/yaml_task.md explains every key."""
