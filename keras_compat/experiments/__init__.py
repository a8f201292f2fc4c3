"""The jobs that the apps run: each prepares data, trains, evaluates and writes what came out."""
