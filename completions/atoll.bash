# SPDX-License-Identifier: Apache-2.0

# Completes the values of kind $1 that begin with $2.
_atoll_values() {
  case $1 in
    file) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
    directory) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$2") ;;
    distribution | certificate)
      mapfile -t COMPREPLY < <(compgen -W "$(atoll "${home[@]}" __complete $1s 2>/dev/null)" -- "$2") ;;
    words:*) mapfile -t COMPREPLY < <(compgen -W "${1#words:}" -- "$2") ;;
  esac
}

_atoll() {
  local commands='create update apply list show delete serve purge test cert domain metrics help'
  local groups='cert domain'
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' word index options='' valued='' values=''
  local arguments='' position=0 words=() home=()
  COMPREPLY=()

  # The shell splits --option=value at the equals sign.
  if [[ $current == '=' ]]; then
    current=''
  elif [[ $previous == '=' ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi

  for word in "${COMP_WORDS[@]:1:COMP_CWORD - 1}"; do
    [[ $word == '=' ]] || words+=("$word")
  done

  for ((index = 0; index + 1 < ${#words[@]}; index++)); do
    [[ ${words[index]} == --home ]] && home=(--home "${words[index + 1]/#\~/$HOME}")
  done

  for ((index = 0; index < ${#words[@]}; index++)); do
    word=${words[index]}
    case $word in
      --home | --color) ((index++)) ;;
      -*) ;;
      *)
        command+=${command:+ }$word
        # A verb follows.
        [[ " $groups " == *" $command "* ]] || break
        ;;
    esac
  done

  case $command in
    cert)
      options='--home --color --quiet --help'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      if [[ -z $values && $current != -* ]]; then
        values='words:ensure create import list show renew delete authority'
      fi
      ;;
    domain)
      options='--home --color --quiet --help'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      if [[ -z $values && $current != -* ]]; then
        values='words:attach detach list records check base'
      fi
      ;;
    create)
      options='--origin --origin-protocol --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --origin-insecure --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --override-origin --no-override-origin --stale-if-error --request-directives --allowed-methods --cache-options --no-cache-options --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --plan --enabled --disabled --tag --file --if-missing --json --no-wait --timeout --home --color --quiet --help'
      valued='--origin --origin-protocol --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --stale-if-error --request-directives --allowed-methods --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --plan --tag --file --timeout --home --color'
      case $previous in
        --origin) values='none' ;;
        --origin-protocol) values='words:http-only https-only match-viewer' ;;
        --origin-https-port) values='none' ;;
        --origin-ca) values='file' ;;
        --origin-verify) values='words:on off' ;;
        --origin-tls-min) values='words:TLSv1.2 TLSv1.3' ;;
        --origin-server-name) values='none' ;;
        --origin-certificate) values='file' ;;
        --origin-key) values='file' ;;
        --origin-connect-timeout) values='none' ;;
        --origin-connect-attempts) values='none' ;;
        --origin-response-timeout) values='none' ;;
        --origin-keep-alive-timeout) values='none' ;;
        --host-header) values='none' ;;
        --origin-header) values='none' ;;
        --balance) values='words:round-robin least-connections hash' ;;
        --sticky) values='none' ;;
        --eject) values='none' ;;
        --health-check) values='none' ;;
        --health-check-interval) values='none' ;;
        --health-check-timeout) values='none' ;;
        --health-check-unhealthy) values='none' ;;
        --health-check-healthy) values='none' ;;
        --health-check-status) values='none' ;;
        --named-origin) values='none' ;;
        --origin-group) values='none' ;;
        --preset) values='words:origin static dynamic wordpress spa' ;;
        --default-behavior) values='words:cache dont-cache' ;;
        --cache-path) values='none' ;;
        --dont-cache-path) values='none' ;;
        --default-ttl) values='none' ;;
        --min-ttl) values='none' ;;
        --max-ttl) values='none' ;;
        --stale-if-error) values='none' ;;
        --request-directives) values='words:on off' ;;
        --allowed-methods) values='words:GET,HEAD GET,HEAD,OPTIONS GET,HEAD,OPTIONS,PUT,PATCH,POST,DELETE' ;;
        --slice-size) values='none' ;;
        --forward-headers) values='none' ;;
        --forward-cookies) values='none' ;;
        --forward-query-strings) values='none' ;;
        --key) values='none' ;;
        --sort-query) values='words:on off' ;;
        --drop-query-strings) values='none' ;;
        --accept-encoding) values='words:none gzip br gzip,br' ;;
        --origin-request-headers) values='none' ;;
        --origin-request-cookies) values='none' ;;
        --origin-request-query-strings) values='none' ;;
        --use-origin) values='none' ;;
        --upgrade-timeout) values='none' ;;
        --compress) values='words:none gzip br gzip,br' ;;
        --compress-min-size) values='none' ;;
        --compress-max-size) values='none' ;;
        --compress-types) values='none' ;;
        --viewer-protocol) values='words:allow-all redirect-to-https https-only' ;;
        --response-header) values='none' ;;
        --remove-response-header) values='none' ;;
        --security-headers) values='words:standard none' ;;
        --hsts) values='none' ;;
        --cors) values='none' ;;
        --cors-credentials) values='words:on off' ;;
        --cors-methods) values='none' ;;
        --cors-headers) values='none' ;;
        --cors-expose) values='none' ;;
        --cors-max-age) values='none' ;;
        --cors-override) values='words:on off' ;;
        --server-timing) values='none' ;;
        --root-object) values='none' ;;
        --index-document) values='none' ;;
        --error-page) values='none' ;;
        --error-ttl) values='none' ;;
        --trusted-proxy) values='none' ;;
        --geo-allow) values='none' ;;
        --geo-block) values='none' ;;
        --plan) values='words:unlimited small medium large' ;;
        --tag) values='none' ;;
        --file) values='file' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    update)
      options='--origin --origin-protocol --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --origin-insecure --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --override-origin --no-override-origin --stale-if-error --request-directives --allowed-methods --cache-options --no-cache-options --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --plan --enabled --disabled --tag --file --remove-origin-header --remove-origin --remove-origin-group --remove-path --clear-paths --clear-response-headers --remove-error-page --remove-trusted-proxy --remove-tag --json --no-wait --timeout --home --color --quiet --help'
      valued='--origin --origin-protocol --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --stale-if-error --request-directives --allowed-methods --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --plan --tag --file --remove-origin-header --remove-origin --remove-origin-group --remove-path --remove-error-page --remove-trusted-proxy --remove-tag --timeout --home --color'
      case $previous in
        --origin) values='none' ;;
        --origin-protocol) values='words:http-only https-only match-viewer' ;;
        --origin-https-port) values='none' ;;
        --origin-ca) values='file' ;;
        --origin-verify) values='words:on off' ;;
        --origin-tls-min) values='words:TLSv1.2 TLSv1.3' ;;
        --origin-server-name) values='none' ;;
        --origin-certificate) values='file' ;;
        --origin-key) values='file' ;;
        --origin-connect-timeout) values='none' ;;
        --origin-connect-attempts) values='none' ;;
        --origin-response-timeout) values='none' ;;
        --origin-keep-alive-timeout) values='none' ;;
        --host-header) values='none' ;;
        --origin-header) values='none' ;;
        --balance) values='words:round-robin least-connections hash' ;;
        --sticky) values='none' ;;
        --eject) values='none' ;;
        --health-check) values='none' ;;
        --health-check-interval) values='none' ;;
        --health-check-timeout) values='none' ;;
        --health-check-unhealthy) values='none' ;;
        --health-check-healthy) values='none' ;;
        --health-check-status) values='none' ;;
        --named-origin) values='none' ;;
        --origin-group) values='none' ;;
        --preset) values='words:origin static dynamic wordpress spa' ;;
        --default-behavior) values='words:cache dont-cache' ;;
        --cache-path) values='none' ;;
        --dont-cache-path) values='none' ;;
        --default-ttl) values='none' ;;
        --min-ttl) values='none' ;;
        --max-ttl) values='none' ;;
        --stale-if-error) values='none' ;;
        --request-directives) values='words:on off' ;;
        --allowed-methods) values='words:GET,HEAD GET,HEAD,OPTIONS GET,HEAD,OPTIONS,PUT,PATCH,POST,DELETE' ;;
        --slice-size) values='none' ;;
        --forward-headers) values='none' ;;
        --forward-cookies) values='none' ;;
        --forward-query-strings) values='none' ;;
        --key) values='none' ;;
        --sort-query) values='words:on off' ;;
        --drop-query-strings) values='none' ;;
        --accept-encoding) values='words:none gzip br gzip,br' ;;
        --origin-request-headers) values='none' ;;
        --origin-request-cookies) values='none' ;;
        --origin-request-query-strings) values='none' ;;
        --use-origin) values='none' ;;
        --upgrade-timeout) values='none' ;;
        --compress) values='words:none gzip br gzip,br' ;;
        --compress-min-size) values='none' ;;
        --compress-max-size) values='none' ;;
        --compress-types) values='none' ;;
        --viewer-protocol) values='words:allow-all redirect-to-https https-only' ;;
        --response-header) values='none' ;;
        --remove-response-header) values='none' ;;
        --security-headers) values='words:standard none' ;;
        --hsts) values='none' ;;
        --cors) values='none' ;;
        --cors-credentials) values='words:on off' ;;
        --cors-methods) values='none' ;;
        --cors-headers) values='none' ;;
        --cors-expose) values='none' ;;
        --cors-max-age) values='none' ;;
        --cors-override) values='words:on off' ;;
        --server-timing) values='none' ;;
        --root-object) values='none' ;;
        --index-document) values='none' ;;
        --error-page) values='none' ;;
        --error-ttl) values='none' ;;
        --trusted-proxy) values='none' ;;
        --geo-allow) values='none' ;;
        --geo-block) values='none' ;;
        --plan) values='words:unlimited small medium large' ;;
        --tag) values='none' ;;
        --file) values='file' ;;
        --remove-origin-header) values='none' ;;
        --remove-origin) values='none' ;;
        --remove-origin-group) values='none' ;;
        --remove-path) values='none' ;;
        --remove-error-page) values='none' ;;
        --remove-trusted-proxy) values='none' ;;
        --remove-tag) values='none' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    apply)
      options='--dry-run --exit-code --json --no-wait --timeout --home --color --quiet --help'
      valued='--timeout --home --color'
      case $previous in
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1+=file;'
      ;;
    list)
      options='--json --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    show)
      options='--json --explain --method --header --home --color --quiet --help'
      valued='--explain --method --header --home --color'
      case $previous in
        --explain) values='none' ;;
        --method) values='none' ;;
        --header) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    delete)
      options='--yes --if-exists --json --no-wait --timeout --home --color --quiet --help'
      valued='--timeout --home --color'
      case $previous in
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    serve)
      options='--http --https --tls-policy --threads --memory --access-log --log-format --max-connections --default-distribution --geo-database --drain-timeout --name --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --origin-insecure --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --override-origin --no-override-origin --stale-if-error --request-directives --allowed-methods --cache-options --no-cache-options --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --home --color --quiet --help'
      valued='--http --https --tls-policy --threads --memory --access-log --log-format --max-connections --default-distribution --geo-database --drain-timeout --name --origin-https-port --origin-ca --origin-verify --origin-tls-min --origin-server-name --origin-certificate --origin-key --origin-connect-timeout --origin-connect-attempts --origin-response-timeout --origin-keep-alive-timeout --host-header --origin-header --balance --sticky --eject --health-check --health-check-interval --health-check-timeout --health-check-unhealthy --health-check-healthy --health-check-status --named-origin --origin-group --preset --default-behavior --cache-path --dont-cache-path --default-ttl --min-ttl --max-ttl --stale-if-error --request-directives --allowed-methods --slice-size --forward-headers --forward-cookies --forward-query-strings --key --sort-query --drop-query-strings --accept-encoding --origin-request-headers --origin-request-cookies --origin-request-query-strings --use-origin --upgrade-timeout --compress --compress-min-size --compress-max-size --compress-types --viewer-protocol --response-header --remove-response-header --security-headers --hsts --cors --cors-credentials --cors-methods --cors-headers --cors-expose --cors-max-age --cors-override --server-timing --root-object --index-document --error-page --error-ttl --trusted-proxy --geo-allow --geo-block --home --color'
      case $previous in
        --http) values='none' ;;
        --https) values='none' ;;
        --tls-policy) values='words:modern intermediate' ;;
        --threads) values='none' ;;
        --memory) values='none' ;;
        --access-log) values='file' ;;
        --log-format) values='words:json combined' ;;
        --max-connections) values='none' ;;
        --default-distribution) values='distribution' ;;
        --geo-database) values='file' ;;
        --drain-timeout) values='none' ;;
        --name) values='none' ;;
        --origin-https-port) values='none' ;;
        --origin-ca) values='file' ;;
        --origin-verify) values='words:on off' ;;
        --origin-tls-min) values='words:TLSv1.2 TLSv1.3' ;;
        --origin-server-name) values='none' ;;
        --origin-certificate) values='file' ;;
        --origin-key) values='file' ;;
        --origin-connect-timeout) values='none' ;;
        --origin-connect-attempts) values='none' ;;
        --origin-response-timeout) values='none' ;;
        --origin-keep-alive-timeout) values='none' ;;
        --host-header) values='none' ;;
        --origin-header) values='none' ;;
        --balance) values='words:round-robin least-connections hash' ;;
        --sticky) values='none' ;;
        --eject) values='none' ;;
        --health-check) values='none' ;;
        --health-check-interval) values='none' ;;
        --health-check-timeout) values='none' ;;
        --health-check-unhealthy) values='none' ;;
        --health-check-healthy) values='none' ;;
        --health-check-status) values='none' ;;
        --named-origin) values='none' ;;
        --origin-group) values='none' ;;
        --preset) values='words:origin static dynamic wordpress spa' ;;
        --default-behavior) values='words:cache dont-cache' ;;
        --cache-path) values='none' ;;
        --dont-cache-path) values='none' ;;
        --default-ttl) values='none' ;;
        --min-ttl) values='none' ;;
        --max-ttl) values='none' ;;
        --stale-if-error) values='none' ;;
        --request-directives) values='words:on off' ;;
        --allowed-methods) values='words:GET,HEAD GET,HEAD,OPTIONS GET,HEAD,OPTIONS,PUT,PATCH,POST,DELETE' ;;
        --slice-size) values='none' ;;
        --forward-headers) values='none' ;;
        --forward-cookies) values='none' ;;
        --forward-query-strings) values='none' ;;
        --key) values='none' ;;
        --sort-query) values='words:on off' ;;
        --drop-query-strings) values='none' ;;
        --accept-encoding) values='words:none gzip br gzip,br' ;;
        --origin-request-headers) values='none' ;;
        --origin-request-cookies) values='none' ;;
        --origin-request-query-strings) values='none' ;;
        --use-origin) values='none' ;;
        --upgrade-timeout) values='none' ;;
        --compress) values='words:none gzip br gzip,br' ;;
        --compress-min-size) values='none' ;;
        --compress-max-size) values='none' ;;
        --compress-types) values='none' ;;
        --viewer-protocol) values='words:allow-all redirect-to-https https-only' ;;
        --response-header) values='none' ;;
        --remove-response-header) values='none' ;;
        --security-headers) values='words:standard none' ;;
        --hsts) values='none' ;;
        --cors) values='none' ;;
        --cors-credentials) values='words:on off' ;;
        --cors-methods) values='none' ;;
        --cors-headers) values='none' ;;
        --cors-expose) values='none' ;;
        --cors-max-age) values='none' ;;
        --cors-override) values='words:on off' ;;
        --server-timing) values='none' ;;
        --root-object) values='none' ;;
        --index-document) values='none' ;;
        --error-page) values='none' ;;
        --error-ttl) values='none' ;;
        --trusted-proxy) values='none' ;;
        --geo-allow) values='none' ;;
        --geo-block) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    purge)
      options='--tag --all --soft --dry-run --json --no-wait --timeout --home --color --quiet --help'
      valued='--tag --timeout --home --color'
      case $previous in
        --tag) values='none' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    test)
      options='--count --method --header --resolve --connect-to --ca --insecure --connect-timeout --max-time --json --explain --distribution --expect --expect-status --expect-header --expect-ttl --home --color --quiet --help'
      valued='--count --method --header --resolve --connect-to --ca --connect-timeout --max-time --distribution --expect --expect-status --expect-header --expect-ttl --home --color'
      case $previous in
        --count) values='none' ;;
        --method) values='none' ;;
        --header) values='none' ;;
        --resolve) values='none' ;;
        --connect-to) values='none' ;;
        --ca) values='file' ;;
        --connect-timeout) values='none' ;;
        --max-time) values='none' ;;
        --distribution) values='distribution' ;;
        --expect) values='words:hit stale revalidated miss coalesced pass error' ;;
        --expect-status) values='none' ;;
        --expect-header) values='none' ;;
        --expect-ttl) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    'cert ensure')
      options='--domain --acme --staging --acme-ca --email --key --preferred-chain --profile --eab-key-id --eab-hmac-file --new-account --now --json --no-wait --timeout --challenge --dns-hook --http --dns-server --dns-timeout --wait --skip-preflight --validation-port --home --color --quiet --help'
      valued='--domain --acme --acme-ca --email --key --preferred-chain --profile --eab-key-id --eab-hmac-file --timeout --challenge --dns-hook --http --dns-server --dns-timeout --validation-port --home --color'
      case $previous in
        --domain) values='none' ;;
        --acme) values='none' ;;
        --acme-ca) values='file' ;;
        --email) values='none' ;;
        --key) values='words:p256 p384 rsa2048 rsa3072 rsa4096' ;;
        --preferred-chain) values='none' ;;
        --profile) values='none' ;;
        --eab-key-id) values='none' ;;
        --eab-hmac-file) values='file' ;;
        --timeout) values='none' ;;
        --challenge) values='words:http-01 tls-alpn-01 dns-01' ;;
        --dns-hook) values='none' ;;
        --http) values='none' ;;
        --dns-server) values='none' ;;
        --dns-timeout) values='none' ;;
        --validation-port) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=certificate;'
      ;;
    'cert create')
      options='--local --domain --key --if-missing --json --no-wait --timeout --home --color --quiet --help'
      valued='--domain --key --timeout --home --color'
      case $previous in
        --domain) values='none' ;;
        --key) values='words:p256 p384 rsa2048 rsa3072 rsa4096' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    'cert import')
      options='--passphrase-file --allow-incomplete --dry-run --json --no-wait --timeout --home --color --quiet --help'
      valued='--passphrase-file --timeout --home --color'
      case $previous in
        --passphrase-file) values='file' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=certificate;'
      arguments+='2+=file;'
      ;;
    'cert list')
      options='--json --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    'cert show')
      options='--json --pem --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=certificate;'
      ;;
    'cert renew')
      options='--due --json --no-wait --timeout --http --dns-server --dns-timeout --wait --skip-preflight --validation-port --home --color --quiet --help'
      valued='--timeout --http --dns-server --dns-timeout --validation-port --home --color'
      case $previous in
        --timeout) values='none' ;;
        --http) values='none' ;;
        --dns-server) values='none' ;;
        --dns-timeout) values='none' ;;
        --validation-port) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1+=certificate;'
      ;;
    'cert delete')
      options='--yes --if-exists --json --no-wait --timeout --home --color --quiet --help'
      valued='--timeout --home --color'
      case $previous in
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=certificate;'
      ;;
    'cert authority')
      options='--json --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    'domain attach')
      options='--cert --no-cert --json --no-wait --timeout --home --color --quiet --help'
      valued='--cert --timeout --home --color'
      case $previous in
        --cert) values='certificate' ;;
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    'domain detach')
      options='--forget --if-attached --json --no-wait --timeout --home --color --quiet --help'
      valued='--timeout --home --color'
      case $previous in
        --timeout) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    'domain list')
      options='--json --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    'domain records')
      options='--ip --format --zone --ttl --dns-server --json --home --color --quiet --help'
      valued='--ip --format --zone --ttl --dns-server --home --color'
      case $previous in
        --ip) values='none' ;;
        --format) values='words:zone nsupdate' ;;
        --zone) values='none' ;;
        --ttl) values='none' ;;
        --dns-server) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    'domain check')
      options='--ip --http-port --https-port --ca --dns-server --max-time --json --home --color --quiet --help'
      valued='--ip --http-port --https-port --ca --dns-server --max-time --home --color'
      case $previous in
        --ip) values='none' ;;
        --http-port) values='none' ;;
        --https-port) values='none' ;;
        --ca) values='file' ;;
        --dns-server) values='none' ;;
        --max-time) values='none' ;;
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    'domain base')
      options='--json --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      ;;
    metrics)
      options='--json --prometheus --home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=distribution;'
      ;;
    help)
      options='--home --color --quiet --help'
      valued='--home --color'
      case $previous in
        --home) values='directory' ;;
        --color) values='words:auto always never' ;;
      esac
      arguments+='1=words:create update apply list show delete serve purge test cert domain metrics help;'
      arguments+='2=words:ensure create import list show renew delete authority attach detach records check base;'
      ;;
    *)
      options='--home --color --quiet --help --version'
      case $previous in
        --home) values=directory ;;
        --color) values='words:auto always never' ;;
      esac
      if [[ -z $values && $current != -* ]]; then
        values=words:$commands
      fi
      ;;
  esac

  if [[ -n $values ]]; then
    _atoll_values "$values" "$current"
    return
  fi
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
    return
  fi

  # Which argument this is; options and their values are not counted.
  for ((index++; index < ${#words[@]}; index++)); do
    word=${words[index]}
    case $word in
      -*) [[ " $valued " == *" $word "* ]] && ((index++)) ;;
      *) ((position++)) ;;
    esac
  done
  ((position++))
  while [[ -n $arguments ]]; do
    word=${arguments%%;*}
    arguments=${arguments#*;}
    index=${word%%=*}
    if [[ $index == "$position" || ($index == *+ && $position -ge ${index%+}) ]]; then
      _atoll_values "${word#*=}" "$current"
      return
    fi
  done
}

complete -F _atoll atoll
