DROP TABLE IF EXISTS public.apscheduler_jobs;
