"""What a job logged: `python -m scripts.metrics --env ENV`, and `compare` for several jobs side by side.

job_runs.py   MLflow's REST store on the workspace's tracking URI      table.py   for the terminal
job_facts.py  what a job ran on and with, from the job itself
job_page.py   runs/<job>/metrics.html
"""
