-- Old results are found by the time they were written.
CREATE INDEX IF NOT EXISTS ix_celery_taskmeta_date_done ON public.celery_taskmeta (date_done);

CREATE INDEX IF NOT EXISTS ix_celery_tasksetmeta_date_done ON public.celery_tasksetmeta (date_done);
