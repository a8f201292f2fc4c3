"""Head updates: one retrained head for all devices of a team.

1. `install` writes a device's initial folder: its extractor and `device.json`.
2. `make_update` writes a head for each device and measures it on the device's own files. One
   archive holds all heads and the component for servers; a small archive for each device holds one
   head.
3. `device_client.py` applies an archive on the device. It is one file, needs only NumPy and the
   LiteRT interpreter, and refuses archives that are incomplete, old or for another device.
4. `receive` publishes the component of an archive in a store.
"""

from keras_compat.updates.devices import install
from keras_compat.updates.making import Device, Measured, make_update
from keras_compat.updates.receiving import receive

__all__ = ["Device", "Measured", "install", "make_update", "receive"]
