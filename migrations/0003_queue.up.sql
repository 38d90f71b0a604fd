-- Queues route the runs of a group to workers.
CREATE TABLE public.queue (
    id bigserial NOT NULL,
    name varchar(128) NOT NULL,
    slug varchar(256) NOT NULL,
    group_id bigint NOT NULL,
    description varchar(512) NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL,
    CONSTRAINT pk__queue PRIMARY KEY (id),
    CONSTRAINT uq__queue__slug UNIQUE (slug),
    CONSTRAINT fk__queue__group_id__group FOREIGN KEY (group_id) REFERENCES public."group" (id) ON DELETE CASCADE
);

CREATE INDEX ix__queue__group_id ON public.queue (group_id);
