#!/bin/sh
# Starts the server. The first start makes the role and the database that the variables name, as the official image
# does; the cluster itself was made with the image.
set -eu

case "${1:-}" in
  -*) set -- postgres "$@" ;;
  postgres) ;;
  *) exec "$@" ;;
esac

refuse() { echo "error: $1" >&2; exit 1; }
identifier() { printf '"%s"' "$(printf %s "$1" | sed 's/"/""/g')"; }
literal() { printf "'%s'" "$(printf %s "$1" | sed "s/'/''/g")"; }

prepare() {
  user=${POSTGRES_USER:-postgres}
  database=${POSTGRES_DB:-$user}
  [ -n "${POSTGRES_PASSWORD:-}" ] || refuse "POSTGRES_PASSWORD is missing: give the password of the role \`$user\`"
  # In single-user mode each line is a statement.
  case "$user$database$POSTGRES_PASSWORD" in *"
"*) refuse "POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD are one line each" ;; esac
  # Nothing is acknowledged to anybody yet, so nothing need be on the disk yet (-F).
  said=$({
    [ "$user" = postgres ] || echo "ALTER ROLE spare RENAME TO $(identifier "$user")"
    echo "ALTER ROLE $(identifier "$user") PASSWORD $(literal "$POSTGRES_PASSWORD")"
    [ "$database" = postgres ] || echo "ALTER DATABASE spare RENAME TO $(identifier "$database")"
    echo "ALTER DATABASE $(identifier "$database") OWNER TO $(identifier "$user")"
  } | postgres --single -F -D "$PGDATA" -c log_min_messages=error -c log_min_error_statement=panic postgres 2>&1)
  # What a start that was killed half-way had renamed already is no mistake.
  failed=$(echo "$said" | grep -E 'ERROR|FATAL|PANIC' | grep -vE '"spare" does not exist' || true)
  [ -z "$failed" ] || refuse "the first start failed: $failed"
  touch "$PGDATA/prepared"
}

[ -e "$PGDATA/prepared" ] || prepare
exec "$@"
