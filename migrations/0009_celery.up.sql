-- Celery's result store. A worker that ran before the migration has made these objects itself: they are kept.
CREATE SEQUENCE IF NOT EXISTS public.task_id_sequence;

CREATE SEQUENCE IF NOT EXISTS public.taskset_id_sequence;

CREATE TABLE IF NOT EXISTS public.celery_taskmeta (
    id integer NOT NULL,
    task_id varchar(155),
    status varchar(50),
    result bytea,
    date_done timestamp without time zone,
    traceback text,
    name varchar(155),
    args bytea,
    kwargs bytea,
    worker varchar(155),
    retries integer,
    queue varchar(155),
    CONSTRAINT celery_taskmeta_pkey PRIMARY KEY (id),
    CONSTRAINT celery_taskmeta_task_id_key UNIQUE (task_id)
);

CREATE TABLE IF NOT EXISTS public.celery_tasksetmeta (
    id integer NOT NULL,
    taskset_id varchar(155),
    result bytea,
    date_done timestamp without time zone,
    CONSTRAINT celery_tasksetmeta_pkey PRIMARY KEY (id),
    CONSTRAINT celery_tasksetmeta_taskset_id_key UNIQUE (taskset_id)
);
