-- Connections describe the databases and file systems that data is read from and written to.
CREATE TABLE public.connection (
    id bigserial NOT NULL,
    group_id bigint NOT NULL,
    type varchar(32) NOT NULL,
    name varchar(128) NOT NULL,
    description varchar(512) NOT NULL,
    data json NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector(
            'english'::regconfig,
            name::text
            || ' ' || coalesce(json_extract_path_text(data, 'host'), '')
            || ' ' || coalesce(translate(json_extract_path_text(data, 'host'), '.', ' '), '')
        )
    ) STORED NOT NULL,
    CONSTRAINT pk__connection PRIMARY KEY (id),
    CONSTRAINT uq__connection__name_group_id UNIQUE (name, group_id),
    CONSTRAINT fk__connection__group_id__group FOREIGN KEY (group_id) REFERENCES public."group" (id) ON DELETE CASCADE
);

CREATE INDEX ix__connection__group_id ON public.connection (group_id);

CREATE INDEX idx_connection_search_vector ON public.connection USING gin (search_vector);
