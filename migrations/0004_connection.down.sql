DROP TABLE public.connection;
