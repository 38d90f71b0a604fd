-- Trigrams serve the search for users by a part of their name.
CREATE EXTENSION IF NOT EXISTS pg_trgm;
