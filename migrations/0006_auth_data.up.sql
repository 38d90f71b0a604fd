-- Encrypted credentials of a connection.
CREATE TABLE public.auth_data (
    connection_id bigint NOT NULL,
    value varchar NOT NULL,
    created_at timestamptz DEFAULT now() NOT NULL,
    updated_at timestamptz DEFAULT now() NOT NULL,
    CONSTRAINT pk__auth_data PRIMARY KEY (connection_id),
    CONSTRAINT fk__auth_data__connection_id__connection
        FOREIGN KEY (connection_id) REFERENCES public.connection (id) ON DELETE CASCADE
);
