-- Transfers say what is copied from which connection to which, and when.
CREATE TABLE public.transfer (
    id bigserial NOT NULL,
    group_id bigint NOT NULL,
    name varchar(128) NOT NULL,
    description varchar(512) NOT NULL,
    source_connection_id bigint NOT NULL,
    target_connection_id bigint NOT NULL,
    strategy_params json NOT NULL,
    source_params json NOT NULL,
    target_params json NOT NULL,
    transformations json NOT NULL,
    resources json NOT NULL,
    is_scheduled boolean NOT NULL,
    schedule varchar(32) NOT NULL,
    queue_id bigint NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector(
            'english'::regconfig,
            name::text
            || ' ' || coalesce(json_extract_path_text(source_params, 'table_name'), '')
            || ' ' || coalesce(json_extract_path_text(target_params, 'table_name'), '')
            || ' ' || coalesce(json_extract_path_text(source_params, 'directory_path'), '')
            || ' ' || coalesce(json_extract_path_text(target_params, 'directory_path'), '')
            || ' ' || translate(name, './', '  ')
            || ' ' || coalesce(translate(json_extract_path_text(source_params, 'table_name'), './', '  '), '')
            || ' ' || coalesce(translate(json_extract_path_text(target_params, 'table_name'), './', '  '), '')
            || ' ' || coalesce(translate(json_extract_path_text(source_params, 'directory_path'), './', '  '), '')
            || ' ' || coalesce(translate(json_extract_path_text(target_params, 'directory_path'), './', '  '), '')
        )
    ) STORED NOT NULL,
    CONSTRAINT pk__transfer PRIMARY KEY (id),
    CONSTRAINT uq__transfer__name_group_id UNIQUE (name, group_id),
    CONSTRAINT fk__transfer__group_id__group FOREIGN KEY (group_id) REFERENCES public."group" (id) ON DELETE CASCADE,
    CONSTRAINT fk__transfer__queue_id__queue FOREIGN KEY (queue_id) REFERENCES public.queue (id) ON DELETE CASCADE,
    CONSTRAINT fk__transfer__source_connection_id__connection
        FOREIGN KEY (source_connection_id) REFERENCES public.connection (id) ON DELETE CASCADE,
    CONSTRAINT fk__transfer__target_connection_id__connection
        FOREIGN KEY (target_connection_id) REFERENCES public.connection (id) ON DELETE CASCADE
);

CREATE INDEX ix__transfer__group_id ON public.transfer (group_id);

CREATE INDEX ix__transfer__source_connection_id ON public.transfer (source_connection_id);

CREATE INDEX ix__transfer__target_connection_id ON public.transfer (target_connection_id);

CREATE INDEX idx_transfer_search_vector ON public.transfer USING gin (search_vector);
