DROP TABLE public.user_group;
