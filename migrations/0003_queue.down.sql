DROP TABLE public.queue;
