-- The scheduler's job store. A scheduler that ran before the migration has made it itself: it is kept.
CREATE TABLE IF NOT EXISTS public.apscheduler_jobs (
    id varchar(191) NOT NULL,
    next_run_time double precision,
    job_state bytea NOT NULL,
    CONSTRAINT apscheduler_jobs_pkey PRIMARY KEY (id)
);

CREATE INDEX IF NOT EXISTS ix_apscheduler_jobs_next_run_time ON public.apscheduler_jobs (next_run_time);
