"""Fine-tuning starts from a head that works on the new extractor already (Sec. 5.3)."""
