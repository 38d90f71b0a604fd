DROP TABLE IF EXISTS public.celery_tasksetmeta;

DROP TABLE IF EXISTS public.celery_taskmeta;

DROP SEQUENCE IF EXISTS public.taskset_id_sequence;

DROP SEQUENCE IF EXISTS public.task_id_sequence;
