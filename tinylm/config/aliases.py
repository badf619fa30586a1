"""What nanoGPT, Hugging Face, PyTorch Lightning, llama.cpp and people call our settings: their names lead to ours."""

import re

from tinylm.words import bare

NAMES = {
    "model.n_layer": "num_hidden_layers num_layers layers depth n_blocks",
    "model.n_head": "num_attention_heads num_heads attention_heads heads",
    "model.n_kv_head": "num_key_value_heads num_kv_heads kv_heads num_query_groups n_query_groups",
    "model.n_embd": "hidden_size hidden_dim hidden d_model model_dim dim embed_dim emb_dim embedding_dim "
    "embedding_size width",
    "model.mlp_ratio, in multiples of the width": "intermediate_size ffn_dim d_ff ffn_hidden_size feed_forward "
    "dim_feedforward n_inner mlp_dim hidden_multiplier ffn_mult",
    "model.head_size": "head_dim d_head head_width",
    "model.block_size": "max_position_embeddings n_positions n_ctx ctx ctx_len ctx_size context context_length "
    "context_size context_window seq_len seq_length sequence_length max_seq_len max_seq_length",
    "model.dropout": "resid_pdrop embd_pdrop hidden_dropout hidden_dropout_prob resid_dropout dropout_rate dropout_p "
    "dropout_prob p_dropout",
    "model.attention_dropout": "attn_pdrop attn_dropout attention_probs_dropout_prob",
    "model.norm_eps": "rms_norm_eps layer_norm_eps layer_norm_epsilon ln_eps rms_eps",
    "model.rope_theta": "rope_base rope_freq_base theta rotary_base rotary_emb_base",
    "model.qk_norm": "qk_layernorm use_qk_norm query_key_norm",
    "model.embedding_std": "initializer_range init_std init_scale",
    "model.tie_embeddings": "tie_word_embeddings tie_weights tied_weights weight_tying share_embeddings",
    "tokenizer.kind": "tokenizer_type tokenizer_kind tokenization",
    "tokenizer.vocab_size": "vocab vocabulary vocabulary_size n_vocab num_tokens_vocab",
    "data.val_fraction": "val_split validation_split valid_split test_size test_split val_ratio val_size eval_split "
    "eval_fraction holdout held_out validation_fraction",
    "data.unwrap": "join_lines unwrap_lines",
    "train.batch_size": "per_device_train_batch_size train_batch_size micro_batch_size mini_batch_size minibatch batch "
    "bs",
    "train.accumulation_steps": "gradient_accumulation_steps accumulate_grad_batches grad_accum grad_accum_steps "
    "gradient_accumulation accum accumulation",
    "train.optimizer": "optim optimizer_type optimizer_name",
    "train.betas, both in a list": "beta1 beta2 adam_beta1 adam_beta2 adam_betas",
    "train.weight_decay": "wd l2",
    "train.average": "ema ema_decay use_ema swa averaging",
    "train.grad_clip": "max_grad_norm gradient_clip_val gradient_clip grad_norm clip_grad clip_grad_norm clip "
    "clipping gradient_clipping",
    "train.precision": "dtype torch_dtype fp16 bf16 tf32 fp32 amp mixed_precision half float16 bfloat16",
    "train.compile": "torch_compile jit compiled",
    "train.threads": "num_threads n_threads nproc cpu_threads num_workers dataloader_num_workers workers",
    "train.eval_interval": "eval_steps val_check_interval check_val_every_n_epoch eval_every evaluate_every "
    "eval_frequency val_interval",
    "train.eval_iters": "eval_batches limit_val_batches val_batches val_iters eval_samples",
    "train.patience": "early_stopping early_stopping_patience early_stop",
    "train.sample_interval": "sample_every sample_steps",
    "train.checkpoint_interval": "save_steps save_interval save_every checkpoint_every ckpt_interval "
    "every_n_train_steps save_frequency checkpoint_steps",
    "train.keep_checkpoints": "save_total_limit save_top_k max_checkpoints keep_last",
    "train.phases.N.max_lr": "lr learning_rate max_learning_rate peak_lr peak_learning_rate top_lr rate "
    "lr_max init_lr initial_lr start_lr",
    "train.phases.N.min_lr": "min_learning_rate final_lr end_lr last_lr lr_min eta_min lr_end",
    "train.phases.N.schedule": "lr_scheduler lr_scheduler_type lr_schedule scheduler scheduler_type decay_lr "
    "learning_rate_schedule",
    "train.phases.N.warmup_steps": "warmup_iters warmup num_warmup_steps warmup_steps_count lr_warmup_steps",
    "train.phases.N.warmup_steps, which is a share where it is below 1": "warmup_ratio warmup_fraction",
    "train.phases.N.steps_down": "lr_decay_iters lr_decay_steps decay_steps num_decay_steps cooldown cooldown_steps "
    "decay_iters",
    "sample.prompt": "start start_text sample_prompt",
    "sample.temperature": "temp sampling_temperature",
    "sample.temperature, where 0 is greedy": "do_sample greedy",
    "sample.top_k": "k",
    "sample.top_p": "p nucleus nucleus_p",
    "sample.repetition_penalty": "rep_penalty repeat_penalty frequency_penalty presence_penalty",
    "sample.max_new_tokens": "max_tokens max_length n_predict num_tokens length sample_length sample_tokens",
    # Flags.
    "--steps, or in a file train.budget": "steps max_steps max_iters iters iterations num_steps n_steps "
    "train_steps total_steps training_steps num_iterations num_train_steps",
    "--epochs, or in a file train.budget": "epochs num_train_epochs max_epochs num_epochs n_epochs passes",
    "--time, or in a file train.budget": "time max_time time_limit duration minutes hours seconds timeout",
    "--seed, or in a file train.seed": "seed random_seed manual_seed data_seed rng_seed",
    "--data, or in a file data.sources": "dataset dataset_name data_dir data_path train_file train_data training_data "
    "text file input corpus path folder",
    "--device, or in a file train.device": "accelerator gpu cuda cpu mps use_cpu no_cuda use_gpu",
    "--home": "out_dir output_dir out output default_root_dir save_dir checkpoint_dir cache_dir root_dir",
    "--run": "name run_name experiment experiment_name model_name project",
    "--resume": "init_from resume_from resume_from_checkpoint ckpt_path continue continue_from restart",
    "--generate, or in a file sample.prompt": "prompt prompt_text",
    "--generate": "write complete talk chat inference predict generate_text",
    "--count": "num_samples n_samples num_return_sequences samples best_of n",
    "--runs": "list ls show status list_runs",
    # What there is no setting for.
    "Every step is logged, without a setting.": "log_interval logging_steps log_every_n_steps log_every log_freq",
    "Linear layers have no bias here.": "bias use_bias attention_bias mlp_bias",
    "A run trains on one device.": "num_gpus n_gpus gpu_ids num_nodes world_size ddp strategy local_rank",
    "A run's losses and samples are in its events.jsonl.": "wandb wandb_log wandb_project wandb_run_name report_to "
    "tensorboard logger logging_dir",
}

ALIASES = {bare(alias): ours for ours, aliases in NAMES.items() for alias in aliases.split()}
"""From a `bare` name to our setting or flag, perhaps with a comma and a remark; to a sentence where there is neither.

`N` stands for the number of a phase.
"""


def elsewhere(setting: str) -> str:
    """The other names of a setting, by its dotted name."""
    setting = re.sub(r"\.\d+\.", ".N.", setting)
    return " ".join(names for ours, names in NAMES.items() if ours.partition(",")[0] == setting)


VALUES = {
    "train.precision": {
        "auto": "default",
        "fp32": "float32 float full single 32 32-true",
        "bf16": "bfloat16 bf16-mixed bf16-true",
        "fp16": "float16 half 16 16-mixed 16-true",
    },
    "train.device": {"cuda": "gpu nvidia cuda:0", "mps": "metal apple mac", "cpu": "none"},
    "train.optimizer": {"adamw": "adam adamw_torch adamw_torch_fused"},
    "train.phases.N.schedule": {
        "cosine": "cosine_with_warmup cosine_annealing",
        "wsd": "linear trapezoid trapezoidal warmup_stable_decay",
        "constant": "constant_with_warmup none flat",
        "cyclic": "triangular triangle",
    },
    "tokenizer.kind": {
        "bpe": "gpt2 gpt-2 tiktoken subword word words",
        "char": "chars character",
        "byte": "utf-8 utf8",
    },
    "data.windows": {"chunked": "chunks chunk", "every_offset": "offset random sliding", "documents": "document"},
}
"""The words that people use for the values of settings with fixed choices, by setting and value."""
