"""What `flowctl plan` shows: a run foreseen, as data, as JSON and as text. Pure; the present and the history are given."""

from engine.forecast.build import forecast
from engine.forecast.json import json_parts
from engine.forecast.model import (
    CriticalPath,
    Forecast,
    Input,
    Need,
    ParameterForecast,
    Setting,
    StartForecast,
    TaskForecast,
)
from engine.forecast.text import to_text

__all__ = [
    "CriticalPath",
    "Forecast",
    "Input",
    "Need",
    "ParameterForecast",
    "Setting",
    "StartForecast",
    "TaskForecast",
    "forecast",
    "json_parts",
    "to_text",
]
