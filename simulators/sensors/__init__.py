"""Models of sensors, as a board hears them: bytes in, bytes out. One row a driver of firmware/drivers.

A model is given what there is to sense (`sense`), and answers on its bus as the real sensor would. Adding one
costs its class, its row here, vectors in tests/firmware/driver_vectors.json and the class's own `sample`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from simulators.sensors.climate import Bh1750, Bme280, Ds18b20
from simulators.sensors.distance import JsnSr04t, Maxbotix
from simulators.sensors.electricity import Battery, Ina226, Pzem004t
from simulators.sensors.gases import Mhz19, Scd4x
from simulators.sensors.model import Fault, NoAnswer, SensorModel
from simulators.sensors.particles import Pms5003, Sds011, Sps30
from simulators.sensors.pressure import Level420ma, LevelRs485
from simulators.sensors.street import Contact, Mpu6050, Noise, Rain

__all__ = ["MODELS", "Fault", "NoAnswer", "SensorModel", "model_of"]

MODELS: Mapping[str, type[SensorModel]] = {
    "battery": Battery,
    "bh1750": Bh1750,
    "bme280": Bme280,
    "contact": Contact,
    "ds18b20": Ds18b20,
    "ina226": Ina226,
    "jsn_sr04t": JsnSr04t,
    "level_4_20ma": Level420ma,
    "level_rs485": LevelRs485,
    "maxbotix": Maxbotix,
    "mhz19": Mhz19,
    "mpu6050": Mpu6050,
    "noise": Noise,
    "pms5003": Pms5003,
    "pzem004t": Pzem004t,
    "rain": Rain,
    "scd4x": Scd4x,
    "sds011": Sds011,
    "sps30": Sps30,
}


def model_of(entry: Mapping[str, Any], *, seed: int = 0) -> SensorModel:
    """Return the model for an entry of `sensors` in a node's settings, with the values of its sample."""
    return MODELS[entry["driver"]](entry=entry, seed=seed)
