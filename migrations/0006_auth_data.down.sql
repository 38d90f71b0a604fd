DROP TABLE public.auth_data;
