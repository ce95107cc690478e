using System.ClientModel;
using System.ClientModel.Primitives;
using System.Reflection;
using Azure.AI.OpenAI;
using OpenAI.Assistants;

namespace Threadkeep.Interop;

/// <summary>What only the library `Azure.AI.OpenAI` does this way.</summary>
public static partial class Clients
{
    public static AssemblyName Library => typeof(AzureOpenAIClient).Assembly.GetName();

    public const string WrongKeyText = "Access denied due to invalid subscription key";

    /// <summary>Without retries: an error is seen at once.</summary>
    public static AssistantClient Connect(Uri origin, string key)
    {
        var options = new AzureOpenAIClientOptions { RetryPolicy = new ClientRetryPolicy(0) };
        return new AzureOpenAIClient(origin, new ApiKeyCredential(key), options).GetAssistantClient();
    }
}
