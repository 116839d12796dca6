# A change of model is a few lines in one file, and its review is a short diff.
make render ENV=reference SET="model.name=Phi-4 model.version=\"'8'\" finetune.num_train_epochs=1"
diff pipelines/reference/finetune.yml pipelines/prod/finetune.yml
make validate ENV=reference
