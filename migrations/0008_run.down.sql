DROP TABLE public.run;
