-- Groups own connections, transfers and queues.
CREATE TABLE public."group" (
    id bigserial NOT NULL,
    name varchar(128) NOT NULL,
    description varchar(512) NOT NULL,
    owner_id bigint NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL,
    CONSTRAINT pk__group PRIMARY KEY (id),
    CONSTRAINT uq__group__name UNIQUE (name),
    CONSTRAINT fk__group__owner_id__user FOREIGN KEY (owner_id) REFERENCES public."user" (id) ON DELETE CASCADE
);

CREATE INDEX ix__group__owner_id ON public."group" (owner_id);
