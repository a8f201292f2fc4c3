"""Several devices on a machine that has one."""

import os


def logical_devices():
    """Makes so many devices of TensorFlow's CPU as the variable DEVICES says."""
    import tensorflow as tf

    count = int(os.environ.get("DEVICES", "1"))
    cpu = tf.config.list_physical_devices("CPU")[0]
    devices = [tf.config.LogicalDeviceConfiguration()] * count
    tf.config.set_logical_device_configuration(cpu, devices)
