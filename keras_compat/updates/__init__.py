"""Head updates: one retrained head for all devices of a team.

1. `install` writes what is on a device from the start: its extractor, and `device.json`.
2. `make_update` writes a head for each device, measured on the very files that the device runs: one
   archive for all, with the component from which servers build the head again, and beside it one
   for each device with its head alone.
3. `device_client.py` takes either on the device. It is one file, needs NumPy and the LiteRT
   interpreter alone, and refuses what is not whole, not newer or not for the device.
4. `receive` takes the component out of an archive into a store.
"""

from keras_compat.updates.devices import install
from keras_compat.updates.making import Device, Measured, make_update
from keras_compat.updates.receiving import receive

__all__ = ["Device", "Measured", "install", "make_update", "receive"]
