DROP INDEX IF EXISTS public.ix_celery_tasksetmeta_date_done;

DROP INDEX IF EXISTS public.ix_celery_taskmeta_date_done;
