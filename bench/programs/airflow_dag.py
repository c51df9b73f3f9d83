"""The graph as a DAG of Airflow; lies beside its graph.json in the folder of DAGs."""

import json
import subprocess
from pathlib import Path

from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG

WORK = json.loads((Path(__file__).parent / "graph.json").read_text(encoding="utf-8"))


def start(mark: str) -> None:
    """One task of the graph."""
    subprocess.run([WORK["program"], mark], check=True)


with DAG("bench", schedule=None, max_active_tasks=WORK["at_once"]) as dag:
    operators = {}
    for task in WORK["tasks"]:
        operators[task["name"]] = PythonOperator(task_id=task["name"], python_callable=start, op_args=[task["mark"]])
        operators[task["name"]].set_upstream([operators[need] for need in task["needs"]])
