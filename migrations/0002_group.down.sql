DROP TABLE public."group";
