-- People who signed in at least once.
CREATE TABLE public."user" (
    id bigserial NOT NULL,
    username varchar(256) NOT NULL,
    email varchar(256),
    first_name varchar(256),
    last_name varchar(256),
    middle_name varchar(256),
    is_superuser boolean NOT NULL,
    is_active boolean NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk__user PRIMARY KEY (id)
);

CREATE UNIQUE INDEX ix__user__username ON public."user" (username);
