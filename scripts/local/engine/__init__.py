"""The component chat_completion_pipeline for real: `python -m scripts.local.engine <job folder>` runs its five steps.

job.py           the job folder: inputs, log, steps, errors           chat.py      conversation -> tokens and trained mask
validation.py    ft_nlp_common_validation                             interface.py inputs as strings -> checked values
model_import.py  chat_completion_model_import                         gguf.py      the stand-in model's file format
preprocess.py    chat_completion_datapreprocess                       rows.py      jsonl, json, csv, tsv, parquet -> rows
finetune.py      chat_completion_finetune: the training loop          batches.py   rows -> batches without padding
  lora.py, packed.py  adapters and attention                          schedule.py  learning rate over the steps
  checkpoints.py      saving, resuming, the best one                  plan.py      steps, time caps, when to evaluate
converter.py     ft_nlp_model_converter                               tracking.py  metrics to MLflow
"""
