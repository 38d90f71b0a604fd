-- Back to the search by English stems, each table rewritten once.
ALTER TABLE public.transfer
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
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
    ) STORED NOT NULL;

CREATE INDEX idx_transfer_search_vector ON public.transfer USING gin (search_vector);

ALTER TABLE public.queue
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL;

ALTER TABLE public."group"
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (to_tsvector('english'::regconfig, name)) STORED NOT NULL;

ALTER TABLE public.connection
    DROP COLUMN search_vector,
    ADD COLUMN search_vector tsvector GENERATED ALWAYS AS (
        to_tsvector(
            'english'::regconfig,
            name::text
            || ' ' || coalesce(json_extract_path_text(data, 'host'), '')
            || ' ' || coalesce(translate(json_extract_path_text(data, 'host'), '.', ' '), '')
        )
    ) STORED NOT NULL;

CREATE INDEX idx_connection_search_vector ON public.connection USING gin (search_vector);
