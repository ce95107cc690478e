import { roles } from 'roles.bicep'
import { developerType, tagsType } from 'types.bicep'

@description('API_KEYS of the app. Empty: the vault keeps the secret that it has.')
@secure()
param apiKeys string

@description('Who may read the secrets beside the app.')
param developer developerType?

@description('EMBEDDING_KEY of the app. Empty for none.')
@secure()
param embeddingKey string

@description('Whether the embedding model has a key of its own.')
param hasEmbeddingKey bool

@description('Whether the model has a key. No output may depend on the key itself.')
param hasModelKey bool

@description('Resource id of the app\'s identity.')
param identityId string

@description('Object id of the app\'s identity.')
param identityPrincipalId string

@description('Region.')
param location string

@description('MODEL_KEY of the app. Empty for none.')
@secure()
param modelKey string

@description('Name of the vault.')
@maxLength(24)
param name string

@description('Close the vault to the internet.')
param privateNetwork bool

@description('A deleted vault, and its name, stays for a week and cannot be purged.')
param purgeProtection bool

@description('Tags.')
param tags tagsType

@description('Workspace for the log of accesses.')
param workspaceId string

var secretsUser = subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.keyVaultSecretsUser)

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    tenantId: tenant().tenantId
    sku: { family: 'A', name: 'standard' }
    enableRbacAuthorization: true
    enableSoftDelete: true
    softDeleteRetentionInDays: 7
    // Azure takes true or nothing, never false.
    enablePurgeProtection: purgeProtection ? true : null
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      bypass: 'AzureServices'
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
    }
  }

  resource keys 'secrets' = if (!empty(apiKeys)) {
    name: 'api-keys'
    properties: {
      value: apiKeys
      contentType: 'tenant:key, comma separated'
    }
  }

  resource embedding 'secrets' = if (hasEmbeddingKey) {
    name: 'embedding-key'
    properties: {
      value: embeddingKey
      contentType: 'text/plain'
    }
  }

  resource model 'secrets' = if (hasModelKey) {
    name: 'model-key'
    properties: {
      value: modelKey
      contentType: 'text/plain'
    }
  }
}

resource appReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(vault.id, identityId, secretsUser)
  scope: vault
  properties: {
    roleDefinitionId: secretsUser
    principalId: identityPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource developerReads 'Microsoft.Authorization/roleAssignments@2022-04-01' = if (developer != null) {
  name: guid(vault.id, developer.?principalId ?? '', secretsUser)
  scope: vault
  properties: {
    roleDefinitionId: secretsUser
    principalId: developer.?principalId ?? ''
    principalType: developer.?principalType
  }
}

resource log 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'log'
  scope: vault
  properties: {
    workspaceId: workspaceId
    logs: [{ category: 'AuditEvent', enabled: true }]
  }
}

// Without versions, so that the app takes a rotated key.
@description('URI of the secret with API_KEYS.')
output apiKeysSecretUri string = '${vault.properties.vaultUri}secrets/api-keys'

@description('URI of the secret with EMBEDDING_KEY.')
output embeddingKeySecretUri string = '${vault.properties.vaultUri}secrets/embedding-key'

@description('Resource id of the vault.')
output id string = vault.id

@description('URI of the secret with MODEL_KEY.')
output modelKeySecretUri string = '${vault.properties.vaultUri}secrets/model-key'

@description('Name of the vault.')
output name string = vault.name
